#include <filesystem>

bool planted_folder() {
  return std::filesystem::exists("planted");
}
