"""What the recorder hooks into in Python: pools of workers, and the metrics of trainings."""
