"""What behaviours work with: sessions, messages, proof of delivery, evidence from inside the stack, the web site."""
