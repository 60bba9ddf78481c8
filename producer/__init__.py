"""What writes to streams: data sets, replay, the KPL-like producer and its ledger."""
