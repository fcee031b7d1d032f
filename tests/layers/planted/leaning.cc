// Pure by itself, but linked to an adapter library.
int planted_leaning() {
  return 1;
}
