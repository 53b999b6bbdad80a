package web_test

import (
	"testing"

	"github.com/cloakroomhq/cloakroom/e2e/browser"
	"github.com/cloakroomhq/cloakroom/web/webtest"
)

func TestPlaygroundEndToEnd(t *testing.T) {
	s := webtest.Start(t)
	browser.RunScenario(t, browser.Scenario{
		URL: s.Gateway.URL, Origins: s.Origins(), Screenshots: "../e2e/artifacts/playground",
	})
}
