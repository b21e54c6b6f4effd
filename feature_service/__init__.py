"""Wide features over 1-minute bars: pure, named, versioned. Imports the lake and nothing above."""
