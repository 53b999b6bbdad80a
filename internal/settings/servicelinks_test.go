package settings

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
)

// TestServiceLinks: the variables that Kubernetes sets for Services of these names are ignored.
func TestServiceLinks(t *testing.T) {
	for _, environ := range [][]string{
		{ // a Service cloakroom with a port named http, and one cloakroom-objects
			"CLOAKROOM_SERVICE_HOST=10.0.171.239", "CLOAKROOM_SERVICE_PORT=8080", "CLOAKROOM_SERVICE_PORT_HTTP=8080", "CLOAKROOM_PORT=tcp://10.0.171.239:8080",
			"CLOAKROOM_PORT_8080_TCP=tcp://10.0.171.239:8080", "CLOAKROOM_PORT_8080_TCP_PROTO=tcp", "CLOAKROOM_PORT_8080_TCP_PORT=8080", "CLOAKROOM_PORT_8080_TCP_ADDR=10.0.171.239",
			"CLOAKROOM_OBJECTS_SERVICE_HOST=10.0.171.240", "CLOAKROOM_OBJECTS_SERVICE_PORT=8081", "CLOAKROOM_OBJECTS_SERVICE_PORT_HTTP_METRICS=9090", "CLOAKROOM_OBJECTS_PORT=tcp://10.0.171.240:8081",
			"CLOAKROOM_OBJECTS_PORT_8081_TCP=tcp://10.0.171.240:8081", "CLOAKROOM_OBJECTS_PORT_8081_TCP_PROTO=tcp", "CLOAKROOM_OBJECTS_PORT_8081_TCP_PORT=8081",
			"CLOAKROOM_OBJECTS_PORT_8081_TCP_ADDR=10.0.171.240",
		},
		{ // IPv6, and other protocols
			"CLOAKROOM_SERVICE_HOST=fd00:10:96::1f", "CLOAKROOM_PORT=udp://[fd00:10:96::1f]:53", "CLOAKROOM_PORT_53_UDP=udp://[fd00:10:96::1f]:53", "CLOAKROOM_PORT_53_UDP_PROTO=udp",
			"CLOAKROOM_PORT_53_UDP_ADDR=fd00:10:96::1f", "CLOAKROOM_PORT_9_SCTP=sctp://[fd00:10:96::1f]:9", "CLOAKROOM_PORT_9_SCTP_PORT=9",
		},
		{ // Services named as sections and settings are
			"CLOAKROOM_HTTP_PORT=tcp://10.0.0.1:80", "CLOAKROOM_HTTP_LISTEN_SERVICE_HOST=10.0.0.1", "CLOAKROOM_OBJECTS_S3_PORT=tcp://10.0.0.1:9000", "CLOAKROOM_PORT_PORT=tcp://10.0.0.1:1",
		},
	} {
		c, err := Load("", environ)
		require.NoError(t, err, environ)
		require.Equal(t, config.Default(), c)
	}
}

// TestNoServiceLinks: names of Service links with other values, and other names with such values, are refused like every
// unknown name.
func TestNoServiceLinks(t *testing.T) {
	for _, line := range []string{
		"CLOAKROOM_PORT=8080", "CLOAKROOM_PORT=", "CLOAKROOM_PORT=http://10.0.0.1:80", "CLOAKROOM_PORT=tcp://cloakroom:80", "CLOAKROOM_PORT=tcp://10.0.0.1", "CLOAKROOM_PORT=tcp://10.0.0.1:80/",
		"CLOAKROOM_PORT=tcp://u@10.0.0.1:80", "CLOAKROOM_PORT=TCP://10.0.0.1:80", "CLOAKROOM_PORT=tcp://10.0.0.1:0", "CLOAKROOM_PORT=tcp://10.0.0.1:65536", "CLOAKROOM_PORT=tcp://10.0.0.1:080",
		"CLOAKROOM_SERVICE_HOST=cloakroom", "CLOAKROOM_SERVICE_HOST=", "CLOAKROOM_SERVICE_HOST=10.0.0", "CLOAKROOM_SERVICE_HOST=10.0.0.1:80", "CLOAKROOM_SERVICE_HOST=fe80::1%eth0",
		"CLOAKROOM_SERVICE_PORT=http", "CLOAKROOM_SERVICE_PORT=0", "CLOAKROOM_SERVICE_PORT=65536", "CLOAKROOM_SERVICE_PORT=+80", "CLOAKROOM_SERVICE_PORT_=80",
		"CLOAKROOM_PORT_80_TCP=tcp://10.0.0.1:81", "CLOAKROOM_PORT_80_TCP=udp://10.0.0.1:80", "CLOAKROOM_PORT_80_TCP_PROTO=udp", "CLOAKROOM_PORT_80_TCP_PORT=81", "CLOAKROOM_PORT_80_TCP_ADDR=localhost",
		"CLOAKROOM_PORT_80_ICMP=icmp://10.0.0.1:80", "CLOAKROOM_PORT_HTTP_TCP=tcp://10.0.0.1:80", "CLOAKROOM_port=tcp://10.0.0.1:80", "CLOAKROOM_SERVICE=10.0.0.1", "CLOAKROOM_HOST=10.0.0.1",
		"CLOAKROOM_HTTP_LISTN=10.0.0.1", "CLOAKROOM_NAME=/web/cloakroom", "CLOAKROOM__PORT_=tcp://10.0.0.1:80",
	} {
		name, _, _ := strings.Cut(line, "=")
		_, err := Load("", []string{line})
		require.ErrorContains(t, err, "config: "+name+" is no setting", line)
	}
}

// TestSettingsAreNoServiceLinks: no setting's variable has the name of a Service link, whatever its value: it could be
// ignored, or a Service link be read as the setting.
func TestSettingsAreNoServiceLinks(t *testing.T) {
	known := map[string]reflect.Type{}
	collect(reflect.TypeFor[config.Config](), "", known)
	for key := range known {
		t.Run(key, func(t *testing.T) {
			name := envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
			for _, link := range serviceLinks {
				require.False(t, link.name.MatchString(name), "%s looks like %s", name, link.name)
			}
		})
	}
}
