package main

// The variables that Kubernetes puts into every container for every service of its namespace, and Docker for a
// linked container. A service called "latchkey" or "latchkey-postgresql" makes some that begin like our keys; they
// are not the operator's words.

import (
	"net/netip"
	"regexp"
	"strings"
)

var (
	// numberedPort is LATCHKEY_METRICS_PORT_9090_TCP and what belongs to it: no key of ours looks so.
	numberedPort = regexp.MustCompile(`_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
	portURL      = regexp.MustCompile(`^(tcp|udp|sctp)://.+:[0-9]+$`)
	serviceHost  = regexp.MustCompile(`^(.+)_SERVICE_HOST$`)
	servicePort  = regexp.MustCompile(`^(.+)_SERVICE_PORT(_[A-Z0-9_]+)?$`)
	digits       = regexp.MustCompile(`^[0-9]+$`)
)

// isServiceLink goes by form and value together, since LATCHKEY_PORT=8080 is a mistake that somebody made. all is
// the whole environment.
func isServiceLink(name string, all map[string]string) bool {
	value := all[name]
	if numberedPort.MatchString(name) {
		return true
	}
	if strings.HasSuffix(name, "_PORT") && portURL.MatchString(value) {
		return true
	}
	if host := serviceHost.FindStringSubmatch(name); host != nil {
		return isService(host[1], all)
	}
	port := servicePort.FindStringSubmatch(name)
	return port != nil && digits.MatchString(value) && isService(port[1], all)
}

// isService: Kubernetes gives every service a host, which is an address, and is itself one wherever it does so.
func isService(prefix string, all map[string]string) bool {
	_, err := netip.ParseAddr(all[prefix+"_SERVICE_HOST"])
	_, inKubernetes := all["KUBERNETES_SERVICE_HOST"]
	return err == nil && (inKubernetes || portURL.MatchString(all[prefix+"_PORT"]))
}
