package config

import (
	"strings"
	"testing"
)

const accountsGood = good + `accounts:
  dsn: sqlite:accounts.db
  public_url: https://city.example
  proxies: [10.0.0.0/8, "::1/128"]
  oidc: {name: 统一认证, issuer: https://id.example/realms/city, client_id: citygrid, client_secret: file:oidc.secret}
`

func TestAccounts(t *testing.T) {
	c, err := Parse([]byte(accountsGood), "")
	if err != nil {
		t.Fatal(err)
	}
	proxies, err := c.Accounts.ProxyNetworks()
	if err != nil || len(proxies) != 2 || proxies[0].String() != "10.0.0.0/8" {
		t.Errorf("proxies %v, %v", proxies, err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"no dsn", "  dsn: sqlite:accounts.db\n", "", "accounts.dsn: missing"},
		{"password in the dsn", "sqlite:accounts.db", "postgres://u:hunter2@h/d", "accounts.password"},
		{"plain address", "https://city.example", "http://city.example", "public_url"},
		{"address with a path", "https://city.example", "https://city.example/x", "public_url"},
		{"no address for the provider", "  public_url: https://city.example\n", "", "public_url is missing"},
		{"one address", "10.0.0.0/8", "10.0.0.1", "proxies[0]"},
		{"everybody", "10.0.0.0/8", "0.0.0.0/0", "everybody"},
		{"plain provider", "https://id.example", "http://id.example", "oidc.issuer"},
		{"no client", "client_id: citygrid, ", "", "client_id"},
		{"secret itself", "file:oidc.secret", "hunter2", "client_secret"},
	} {
		text := strings.Replace(accountsGood, tt.old, tt.new, 1)
		if _, err := Parse([]byte(text), ""); text == accountsGood || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	local := strings.NewReplacer("https://city.example", "http://127.0.0.1:8080", "https://id.example", "http://localhost:9999").Replace(accountsGood)
	if _, err := Parse([]byte(local), ""); err != nil {
		t.Errorf("on one machine: %v", err)
	}
}
