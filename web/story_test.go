package web_test

import (
	"testing"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/web/webtest"
)

func TestStory(t *testing.T) {
	s := webtest.Start(t)
	browser.RunStory(t, browser.Story{
		URL: s.Gateway.URL, Origins: s.Origins(), Screenshots: "../e2e/artifacts/playground",
	})
}
