"""The proof: what the producer's ledger says was sent, against what every sink holds."""
