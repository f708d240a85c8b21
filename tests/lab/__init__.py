"""A test lab: real Postfix, Dovecot, nginx and Rspamd in images of our own, with faults that can be switched on."""
