from .inner import from_star
