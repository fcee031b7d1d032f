// One message of a conversation with a model.
#pragma once

#include <string>

namespace core {

struct ChatMessage {
  std::string role;  // system, user or assistant
  std::string content;
};

}  // namespace core
