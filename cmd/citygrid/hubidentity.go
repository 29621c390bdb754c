package main

import (
	"fmt"
	"strings"

	"citygrid/hub/accounts/oidc"
	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/schemas/seal"
)

// identityProvider returns what accounts.oidc names; nil where there is none. It is not
// asked anything yet: the hub starts without it.
func identityProvider(cfg *config.Config) (api.IdentityProvider, error) {
	c := cfg.Accounts.OIDC
	if c == nil {
		return nil, nil
	}
	secret, err := seal.ReadPassphrase(sourceIn(cfg, c.ClientSecret))
	if err != nil {
		return nil, fmt.Errorf("client_secret: %w", err)
	}
	return oidc.New(oidc.Config{Issuer: c.Issuer, ClientID: c.ClientID, Secret: secret, Claim: c.Claim,
		Redirect: strings.TrimSuffix(cfg.Accounts.PublicURL, "/") + api.OIDCCallback}), nil
}
