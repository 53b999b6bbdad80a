package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// file is one answer, in its embedded form: assets compressed, the page and the licences uncompressed.
type file struct {
	body        []byte
	gzipped     bool
	contentType string
	cache       string
	etag        string
}

type handler struct {
	policy string
	files  map[string]file
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", h.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	f, found := h.files[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f.serve(w, r)
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.cache)
	header.Set("ETag", f.etag)
	if f.gzipped {
		header.Set("Vary", "Accept-Encoding")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if f.gzipped && !acceptsGzip(r.Header.Get("Accept-Encoding")) {
		serveDecompressed(w, r, f.body)
		return
	}
	if f.gzipped {
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Length", strconv.Itoa(len(f.body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(f.body)
	}
}

func serveDecompressed(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method == http.MethodHead {
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		http.Error(w, "asset is damaged", http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(w, plain)
}

// acceptsGzip reads an Accept-Encoding: gzip or * counts, unless its weight is zero.
func acceptsGzip(accept string) bool {
	any := false
	for _, part := range strings.Split(accept, ",") {
		coding, params, _ := strings.Cut(part, ";")
		weight, given := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		refused := given && (err != nil || q <= 0)
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip":
			return !refused
		case "*":
			any = !refused
		}
	}
	return any
}

const placeholder = `<script type="application/json" id="cloakroom-config">{}</script>`

// page writes the configuration into the built index.html. encoding/json escapes <, > and &, so that no
// value ends the element; the policy does not treat the data block as a script.
func page(cfg PlaygroundConfig) file {
	config, err := json.Marshal(map[string]string{"endpoint": cfg.Endpoint, "sessionURL": cfg.SessionURL})
	if err != nil {
		panic(err)
	}
	html := string(mustRead("dist/index.html"))
	if strings.Count(html, placeholder) != 1 {
		panic("web: dist/index.html has no place for the configuration; run npm run build in web/")
	}
	filled := strings.Replace(placeholder, "{}", string(config), 1)
	body := []byte(strings.Replace(html, placeholder, filled, 1))
	return newFile(body, "text/html; charset=utf-8", "no-cache")
}

func licences() file {
	return newFile(mustRead("dist/THIRD_PARTY_LICENSES.txt"), "text/plain; charset=utf-8", "no-cache")
}

// addAssets adds the files that the build names by their content, so that they can be cached for ever.
func addAssets(files map[string]file) {
	entries, err := fs.ReadDir(dist, "dist/assets")
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		name, gzipped := strings.CutSuffix(entry.Name(), ".gz")
		body := mustRead(path.Join("dist/assets", entry.Name()))
		f := newFile(body, contentType(name), "public, max-age=31536000, immutable")
		f.gzipped = gzipped
		files["/assets/"+name] = f
	}
}

// contentType does not use the machine's own table of types, which differs between machines.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".ttf":
		return "font/ttf"
	}
	return "application/octet-stream"
}

func newFile(body []byte, contentType, cache string) file {
	sum := sha256.Sum256(body)
	etag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return file{body: body, contentType: contentType, cache: cache, etag: etag}
}

func mustRead(name string) []byte {
	body, err := dist.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return body
}
