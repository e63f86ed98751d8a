"""A whole city of stand-ins: `mancard run`, `mancard day`. May import everything; nothing imports it."""
