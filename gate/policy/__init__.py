"""Who may pass: `rules` holds the table and its order; one rule is one file beside it. Pure."""
