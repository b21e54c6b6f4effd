"""One colour for one thing, in every plot.

Those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of colour blindness
tell apart; of their eight the ones that are seen on white and on black. Lines differ in their dashes
as well.
"""

BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
GREY = "#8c8c8c"

#: What the page is about; gains.
OWN = BLUE
#: What it is held against: buy and hold, always up; losses.
AGAINST = VERMILION
#: A third thing: the flattering mode, the dummy.
OTHER = GREEN

#: Losses, nothing, gains; and from little to much.
DIVERGING = (VERMILION, "#f4f4f4", BLUE)
RISING = ("#e8f1f8", BLUE)

#: Text and axes: the page's own colour takes its place, so that it follows light and dark.
INK = "#1f2933"
#: Text on a coloured cell stays what it is.
ON_LIGHT, ON_DARK = "#111111", "#ffffff"

SOLID, DASHED, DOTTED = [1, 0], [6, 4], [2, 3]
