package signin_test

import (
	"net/url"

	"github.com/chromedp/chromedp"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
)

var escape = url.QueryEscape

func navigate(to string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(to) }

// history are the URLs of the tab, the first of which is about:blank.
func history(p *browser.Page) []string { return p.History() }
