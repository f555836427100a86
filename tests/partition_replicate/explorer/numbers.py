"""Numbers in the place of values, by which states stay small and are compared fast."""


class Numbers:
    """Gives each distinct value a number, from 0."""

    def __init__(self):
        self.values, self._numbers = [], {}

    def __len__(self):
        return len(self.values)

    def number(self, value, identity=None):
        """Return the number of a value.

        Args:
            value: the value.
            identity: what equal values share, where the value itself cannot be hashed.
        """
        identity = value if identity is None else identity
        number = self._numbers.get(identity)
        if number is None:
            number = self._numbers[identity] = len(self.values)
            self.values.append(value)
        return number

    def get(self, number):
        """Return the value of a number."""
        return self.values[number]
