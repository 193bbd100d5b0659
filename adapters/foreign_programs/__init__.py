"""Which machines' programs run here."""
