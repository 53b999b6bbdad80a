// Package browser drives the playground in a real Chromium, against any gateway: the stand-ins of
// web/webtest or the one that "go run . dev" starts.
package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

const chromium = "/usr/bin/chromium"

// patience bounds every wait; waits poll a condition, and end as soon as it holds.
const patience = 30 * time.Second

// Page is one tab of a new Chromium, with a log of its requests, errors and warnings.
type Page struct {
	t           testing.TB
	ctx         context.Context
	screenshots string

	mu         sync.Mutex
	requests   []string
	complaints []string
}

// Open starts Chromium and loads the URL. Screenshots go to the given folder, unless it is "". The
// test fails if Chromium is not installed: a skipped browser test proves nothing.
func Open(t testing.TB, url, screenshots string, options ...Option) *Page {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatalf("no Chromium at %s: run make tools", chromium)
	}
	profile := t.TempDir()
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	for _, option := range options {
		flags = append(flags, option(t, profile)...)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(stop)
	return open(t, allocator, url, screenshots)
}

// Tab opens another tab of the same browser: it has the same cookies.
func (p *Page) Tab(url string) *Page {
	p.t.Helper()
	return open(p.t, p.ctx, url, p.screenshots)
}

func open(t testing.TB, parent context.Context, url, screenshots string) *Page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(parent)
	t.Cleanup(closeTab)
	p := &Page{t: t, ctx: ctx, screenshots: screenshots}
	// This first run starts the browser. It has no deadline, because the browser would end at it.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	p.Do("open the page", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(url))
	return p
}

// Option changes how Chromium starts, or the content of its profile's folder before the start.
type Option func(t testing.TB, profile string) []chromedp.ExecAllocatorOption

// Flags adds flags to Chromium's command line.
func Flags(flags ...chromedp.ExecAllocatorOption) Option {
	return func(testing.TB, string) []chromedp.ExecAllocatorOption { return flags }
}

// BlockThirdPartyCookies sets the choice of that name in the browser's settings.
func BlockThirdPartyCookies(t testing.TB, profile string) []chromedp.ExecAllocatorOption {
	t.Helper()
	folder := filepath.Join(profile, "Default")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	const preferences = `{"profile": {"block_third_party_cookies": true, "cookie_controls_mode": 1}}`
	if err := os.WriteFile(filepath.Join(folder, "Preferences"), []byte(preferences), 0o600); err != nil {
		t.Fatal(err)
	}
	return nil
}

func (p *Page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, event.Request.URL)
	case *target.EventAttachedToTarget: // a worker
		p.requests = append(p.requests, event.TargetInfo.URL)
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, "exception: "+event.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		switch event.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
			var parts []string
			for _, arg := range event.Args {
				parts = append(parts, string(arg.Value)+arg.Description)
			}
			p.complaints = append(p.complaints, fmt.Sprintf("console.%s: %s", event.Type, strings.Join(parts, " ")))
		}
	case *log.EventEntryAdded: // violations of the policy, among others
		if event.Entry.Level == log.EntryLevelError || event.Entry.Level == log.EntryLevelWarning {
			p.complaints = append(p.complaints, fmt.Sprintf("%s: %s (%s)", event.Entry.Source, event.Entry.Text, event.Entry.URL))
		}
	}
}

// Do runs actions, and fails the test if they do not end in time.
func (p *Page) Do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := p.Try(actions...); err != nil {
		p.fail("%s: %v", what, err)
	}
}

// Try runs actions that may fail.
func (p *Page) Try(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// History returns the URLs of the tab's pages, the oldest first.
func (p *Page) History() (urls []string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	history, err := chromedp.Run(ctx, chromedp.NavigationEntries())
	if err != nil {
		p.fail("history: %v", err)
	}
	for _, entry := range history.Entries {
		urls = append(urls, entry.URL)
	}
	return urls
}

// Eval evaluates a JavaScript expression to a string. It does so from outside the page: code compiled
// inside would violate the page's policy, which is why chromedp.Poll can't be used here.
func (p *Page) Eval(expression string) string {
	p.t.Helper()
	text, err := p.evaluate(expression)
	if err != nil {
		p.fail("evaluate %s: %v", expression, err)
	}
	return text
}

func (p *Page) evaluate(expression string) (string, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
}

// leaving are the browser's errors while the page is being left.
var leaving = []string{"Inspected target navigated", "Cannot find context", "Execution context was destroyed", "Cannot find default execution context"}

// Resolve evaluates a JavaScript expression whose value is a promise of a string.
func (p *Page) Resolve(expression string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("evaluate %s: %v", expression, err)
	}
	return text
}

// Await polls a JavaScript expression until it is true, always in the tab's current page.
func (p *Page) Await(what, expression string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(25 * time.Millisecond) {
		text, err := p.evaluate("Boolean(" + expression + ")")
		switch {
		case err != nil && !slices.ContainsFunc(leaving, func(s string) bool { return strings.Contains(err.Error(), s) }):
			p.fail("evaluate %s: %v", expression, err)
		case text == "true":
			return
		case time.Now().After(deadline):
			p.fail("no %s: %s is not true (%v)", what, expression, err)
		}
	}
}

func (p *Page) fail(format string, args ...any) {
	p.t.Helper()
	p.Shoot("failed")
	p.t.Fatalf(format+"\nthe browser reported: %q", append(args, p.Complaints())...)
}

// Text is the visible text of the first element that the selector finds.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return p.Eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// Click clicks the element when it is there and enabled.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Await("button "+selector, fmt.Sprintf("document.querySelector(%q)?.disabled === false", selector))
	p.Do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Shoot saves a screenshot.
func (p *Page) Shoot(name string) {
	if p.screenshots == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Logf("screenshot %s: %v", name, err)
		return
	}
	if err := os.MkdirAll(p.screenshots, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.screenshots, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// Complaints returns the console's errors and warnings, exceptions and violations of the policy so far.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.complaints)
}

// Strays returns the requests so far that went to none of the origins.
func (p *Page) Strays(origins []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var strays []string
	for _, raw := range p.requests {
		u, err := url.Parse(strings.TrimPrefix(raw, "blob:"))
		if err != nil || (u.Scheme != "data" && u.Scheme != "about" && !slices.Contains(origins, u.Scheme+"://"+u.Host)) {
			strays = append(strays, raw)
		}
	}
	return strays
}
