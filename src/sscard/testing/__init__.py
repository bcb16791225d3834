"""The public test kit: APDU scripts, tear rigs, models, strategies."""
