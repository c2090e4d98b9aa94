"""How a delivery ends: the proofs that drivers gave, and further attempts."""
