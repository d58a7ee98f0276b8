"""What the benchmarks of messages share: messages, and workers and providers in processes of their own."""
