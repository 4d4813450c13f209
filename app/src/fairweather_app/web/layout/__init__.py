"""What all pages share: rendering, assets, preferences, units, wording."""
