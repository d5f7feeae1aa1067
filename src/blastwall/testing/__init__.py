"""What tests, demo and benchmark run against: throw-away servers, a development issuer, a gateway to talk to."""
