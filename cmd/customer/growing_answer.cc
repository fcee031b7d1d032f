#include "cmd/customer/growing_answer.h"

namespace cmd {

std::string GrowingAnswer::part(const nostr::Answer& partial) {
  if (partial.encrypted || provider_.value_or(partial.provider) != partial.provider) return {};
  provider_ = partial.provider;
  const bool overtaken = printed_.starts_with(partial.content);
  return overtaken ? std::string() : advance(partial.content);
}

std::string GrowingAnswer::result(const nostr::Answer& answer) {
  std::string rest = advance(answer.content) + '\n';
  printed_.clear();
  return rest;
}

std::string GrowingAnswer::interrupt() {
  std::string end = is_open() ? "\n" : "";
  printed_.clear();
  return end;
}

std::string GrowingAnswer::advance(std::string_view whole) {
  const bool continues = whole.starts_with(printed_);
  std::string out = continues ? std::string(whole.substr(printed_.size())) : interrupt().append(whole);
  printed_ = whole;
  return out;
}

}  // namespace cmd
