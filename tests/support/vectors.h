// Reads fixtures/vectors. A file that is missing or empty throws, which fails the test that reads it.
#pragma once

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>

namespace vectors {

inline std::string read(const std::string& name) {
  const std::string path = SOURCE_DIR "/fixtures/vectors/" + name;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) throw std::runtime_error(path + " is missing or empty");
  return text;
}

// A request and the result that answered it, each as the JSON text that the relays delivered.
struct RealEvents {
  std::string request;  // kind 5050
  std::string result;   // kind 6050
};

inline RealEvents real_events() {
  std::istringstream lines(read("real-events.jsonl"));
  RealEvents events;
  std::string more;
  if (!std::getline(lines, events.request) || !std::getline(lines, events.result) || std::getline(lines, more)) {
    throw std::runtime_error("real-events.jsonl must hold two events");
  }
  return events;
}

}  // namespace vectors
