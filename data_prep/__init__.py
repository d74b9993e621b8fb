"""From CelebA as people have it to one array file that training can memory-map."""
