"""The market's past for a desk: questions of the producer, answered from a vendor's history."""
