#include <cstdio>

bool planted_file() {
  return std::fopen("planted", "r") != nullptr;
}
