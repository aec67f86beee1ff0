"""Other places where questions come from and answers go to; each is loaded only if set up."""
