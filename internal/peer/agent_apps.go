package peer

// What the library of agents does not know: applications, web views and televisions. A version is the one that
// people would recognise, or none.

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/mileusna/useragent"
)

// agentRule names what made a request that matches. The first group of match, where there is one, is the
// version; with named set it is the second, and the first is the name.
type agentRule struct {
	match *regexp.Regexp
	name  string // empty: the first group
	os    string // empty: what the library found
}

// The first that matches holds.
var agentRules = [...]agentRule{
	{regexp.MustCompile(`Trident/7\.0.*rv:(\d+)`), "Internet Explorer", ""}, // it does not say MSIE any more
	{regexp.MustCompile(`\bGSA/(\d+)`), "Google app", ""},
	{regexp.MustCompile(`^okhttp/(\d+)`), "okhttp", "Android"},
	{regexp.MustCompile(`^([^/()]+)/(\d+)?.*\b(?:iOS|iPadOS|tvOS|watchOS) \d.*Alamofire/`), "", "iOS"},
	{regexp.MustCompile(`^([^/()]+)/(\d+)?.*\bmacOS \d.*Alamofire/`), "", "macOS"},
	{regexp.MustCompile(`^([^/()]+)/(\d+)?.*\bCFNetwork/.*\((?:x86_64|i386)\)`), "", "macOS"}, // phones say nothing there
	{regexp.MustCompile(`^([^/()]+)/(\d+)?.*\bCFNetwork/`), "", "iOS"},
	{regexp.MustCompile(`SamsungBrowser/(\d+).*\bTV\b`), "Samsung Browser", "Tizen"},
	{regexp.MustCompile(`\bTizen\b.*\bTV\b`), "Samsung Browser", "Tizen"},
	{regexp.MustCompile(`Web0S`), "LG Browser", "webOS"},
	{regexp.MustCompile(`; wv\).*Chrome/(\d+)`), "Android WebView", "Android"},
	{regexp.MustCompile(`^Mozilla/5\.0 \((?:iPhone|iPad|iPod).*AppleWebKit/[\d.]+ \(KHTML, like Gecko\) Mobile/\w+$`), "iOS WebView", "iOS"},
}

// television matches what neither is carried nor has a keyboard.
var television = regexp.MustCompile(`(?i)\b(?:smart-?tv|appletv|googletv|android tv|bravia|tv safari|aft[a-z]{1,4}\b)|web0s|crkey`)

// readAgent is what the library reads, put right.
func readAgent(agent string) useragent.UserAgent {
	ua := useragent.Parse(agent)
	if ua.Bot && !strings.Contains(agent, "Alamofire/") {
		return ua
	}
	for _, rule := range agentRules {
		if found := rule.match.FindStringSubmatch(agent); found != nil {
			rule.apply(&ua, found)
			break
		}
	}
	if ua.Name == useragent.Safari && !strings.Contains(agent, "Version/") {
		ua.VersionNo = useragent.VersionNo{} // 604 is a build of WebKit's
	}
	switch {
	case television.MatchString(agent):
		ua.Mobile, ua.Tablet, ua.Desktop = false, false, false
	case ua.OS == useragent.Android && strings.Contains(agent, "AppleWebKit/") && !strings.Contains(agent, "Mobile"):
		ua.Mobile, ua.Tablet = false, true // phones say Mobile, tablets do not
	}
	return ua
}

func (r agentRule) apply(ua *useragent.UserAgent, found []string) {
	ua.Name, ua.VersionNo, ua.Bot = r.name, useragent.VersionNo{}, false
	version := found[1:]
	if r.name == "" {
		ua.Name, version = appName(found[1]), found[2:]
	}
	if len(version) > 0 {
		ua.VersionNo.Major, _ = strconv.Atoi(version[0]) // none: 0, which is not shown
	}
	if r.os == "" {
		return
	}
	ua.OS, ua.Desktop = r.os, r.os == useragent.MacOS
	ua.Mobile = !ua.Tablet && (r.os == useragent.IOS || r.os == useragent.Android)
}

// appName is the application's own, which CFNetwork percent-encodes.
func appName(raw string) string {
	if name, err := url.PathUnescape(raw); err == nil {
		raw = name
	}
	return strings.TrimSpace(raw)
}
