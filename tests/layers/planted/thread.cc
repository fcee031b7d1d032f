#include <thread>

void planted_thread() {
  std::thread([] {}).join();
}
