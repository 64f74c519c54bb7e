"""What equations are made of: fields, terms and systems, one rewriter, one visitor, and the closed tables."""
