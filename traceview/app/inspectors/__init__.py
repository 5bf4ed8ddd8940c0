"""What one span holds, shown by what it is."""
