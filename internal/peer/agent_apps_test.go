package peer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Agents as they come in, of what people have beside the usual browsers.
func TestDescribeApplications(t *testing.T) {
	for _, tc := range []struct {
		agent string
		want  Device // without UserAgent and Addr
	}{
		{"okhttp/4.12.0", Device{Browser: "okhttp", BrowserVersion: "4", OS: "Android", DeviceType: "mobile"}},
		{"okhttp/5.0.0-alpha.14", Device{Browser: "okhttp", BrowserVersion: "5", OS: "Android", DeviceType: "mobile"}},
		{"Acme/1523 CFNetwork/1494.0.7 Darwin/23.4.0", Device{Browser: "Acme", BrowserVersion: "1523", OS: "iOS", DeviceType: "mobile"}},
		{"Acme%20Shop/7.1 CFNetwork/978.0.7 Darwin/18.7.0 (x86_64)", Device{Browser: "Acme Shop", BrowserVersion: "7", OS: "macOS", DeviceType: "desktop"}},
		{"Acme/2.3.1 (com.example.acme; build:41; iOS 17.4.1) Alamofire/5.9.1", Device{Browser: "Acme", BrowserVersion: "2", OS: "iOS", DeviceType: "mobile"}},
		{"Acme/2.3.1 (com.example.acme; build:41; macOS 14.4.0) Alamofire/5.9.1", Device{Browser: "Acme", BrowserVersion: "2", OS: "macOS", DeviceType: "desktop"}},
		{"Mozilla/5.0 (Linux; Android 13; Pixel 7 Build/TQ3A.230805.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.5845.114 Mobile Safari/537.36",
			Device{Browser: "Android WebView", BrowserVersion: "116", OS: "Android", DeviceType: "mobile"}},
		{"Mozilla/5.0 (Linux; Android 12; SM-X700 Build/SP1A.210812.016; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/119.0.6045.66 Safari/537.36",
			Device{Browser: "Android WebView", BrowserVersion: "119", OS: "Android", DeviceType: "tablet"}},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
			Device{Browser: "iOS WebView", OS: "iOS", DeviceType: "mobile"}},
		{"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
			Device{Browser: "iOS WebView", OS: "iOS", DeviceType: "tablet"}},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/307.0.617296234 Mobile/15E148 Safari/604.1",
			Device{Browser: "Google app", BrowserVersion: "307", OS: "iOS", DeviceType: "mobile"}},
		{"Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A.240205.004; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/122.0.6261.64 Mobile Safari/537.36 GSA/15.7.32.28.arm64",
			Device{Browser: "Google app", BrowserVersion: "15", OS: "Android", DeviceType: "mobile"}},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari/604.1",
			Device{Browser: "Safari", OS: "iOS", DeviceType: "mobile"}},
		{"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", Device{Browser: "Internet Explorer", BrowserVersion: "11", OS: "Windows", DeviceType: "desktop"}},
		{"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; AS; rv:11.0) like Gecko", Device{Browser: "Internet Explorer", BrowserVersion: "11", OS: "Windows", DeviceType: "desktop"}},
		{"Mozilla/5.0 (Linux; Android 12; SM-X906C Build/QP1A.190711.020) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.43 Safari/537.36",
			Device{Browser: "Chrome", BrowserVersion: "120", OS: "Android", DeviceType: "tablet"}},
		{"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-T870) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Safari/537.36",
			Device{Browser: "Samsung Browser", BrowserVersion: "23", OS: "Android", DeviceType: "tablet"}},
		{"Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/4.0 Chrome/85.0.4183.93 TV Safari/537.36",
			Device{Browser: "Samsung Browser", BrowserVersion: "4", OS: "Tizen", DeviceType: "unknown"}},
		{"Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) 85.0.4183.93/6.5 TV Safari/537.36",
			Device{Browser: "Samsung Browser", OS: "Tizen", DeviceType: "unknown"}},
		{"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36 WebAppManager",
			Device{Browser: "LG Browser", OS: "webOS", DeviceType: "unknown"}},
		{"Mozilla/5.0 (Linux; Android 9; BRAVIA 4K GB ATV3 Build/PTT1.190515.001.S104) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/118.0.5993.80 Safari/537.36",
			Device{Browser: "Chrome", BrowserVersion: "118", OS: "Android", DeviceType: "unknown"}},
		// as before
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
			Device{Browser: "Chrome", BrowserVersion: "140", OS: "Android", DeviceType: "mobile"}},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
			Device{Browser: "Safari", BrowserVersion: "17", OS: "macOS", DeviceType: "desktop"}},
	} {
		tc.want.UserAgent = tc.agent
		if diff := cmp.Diff(tc.want, Peer{UserAgent: tc.agent}.Describe()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.agent, diff)
		}
	}
}
