"""The site's one application: entries in a ledger."""
