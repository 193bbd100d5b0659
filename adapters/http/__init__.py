"""HTTP sessions with bounds, proxies and certificates, for registries and the web."""
