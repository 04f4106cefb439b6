"""Real services that the tests start on this machine: a Sigstore, time stamps, an HSM."""
