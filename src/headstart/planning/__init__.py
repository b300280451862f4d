"""What a study will need before it trains: memory, time, disk, and how to place its packs on a machine."""
