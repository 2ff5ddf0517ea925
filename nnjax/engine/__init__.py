"""Many runs side by side: what is planned, laid out on devices, compiled, and trained epoch by epoch."""
