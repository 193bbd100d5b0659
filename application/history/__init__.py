"""Recording of builds."""
