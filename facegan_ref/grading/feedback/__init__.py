"""What students and instructors read of a graded notebook."""
