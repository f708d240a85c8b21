"""What behaviours work with: sessions, messages, proof of delivery, the administration site."""
