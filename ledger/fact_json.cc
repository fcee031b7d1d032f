#include "ledger/fact_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ledger {
namespace {

using base::to_hex;

using Json = nlohmann::ordered_json;

// What came from outside may be no UTF-8, which a later dump() would not take.
Json text_json(const std::string& text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return text;
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
}

template <Message T>
Json message_json(const T& message);

template <class T>
Json value_json(const T& value) {
  if constexpr (std::is_same_v<T, Msat>) {
    return value.value;
  } else if constexpr (std::is_same_v<T, TimeMs>) {
    return value.ms;
  } else if constexpr (std::is_enum_v<T>) {
    const std::string_view known = name(value);
    return known == "unknown" ? Json(static_cast<std::uint32_t>(value)) : Json(known);
  } else if constexpr (wire::is_fixed_bytes<T>::value) {
    return value.hex();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return text_json(value);
  } else if constexpr (Message<T>) {
    return message_json(value);
  } else {
    return value;  // bool, integers, double
  }
}

template <class T>
void put_json(Json& object, std::string_view name, const T& value) {
  const std::string key(name);
  if constexpr (wire::is_optional<T>::value) {
    if (value) object[key] = value_json(*value);
  } else if constexpr (wire::is_vector<T>::value) {
    Json& array = object[key] = Json::array();
    for (const auto& element : value) array.push_back(value_json(element));
  } else if constexpr (wire::is_fixed_bytes<T>::value) {
    if (!value.is_zero()) object[key] = value_json(value);
  } else {
    object[key] = value_json(value);
  }
}

template <Message T>
Json message_json(const T& message) {
  Json object = Json::object();
  std::apply([&](const auto&... f) { (put_json(object, f.name, message.*(f.member)), ...); }, T::fields());
  if constexpr (requires { message.unknown_fields; }) {
    if (!message.unknown_fields.empty()) object["unknown_fields"] = to_hex(message.unknown_fields);
  }
  return object;
}

}  // namespace

nlohmann::ordered_json to_json(const Fact& event) {
  return std::visit([](const auto& e) { return message_json(e); }, event);
}

nlohmann::ordered_json to_json(const Header& header) {
  Json object = message_json(header);
  if (const std::string_view known = type_name(header.type); known != "Unknown") object["type"] = known;
  return object;
}

nlohmann::ordered_json to_json(const Entry& entry) {
  Json object = {{"seq", entry.seq}};
  object.update(to_json(entry.header));
  object["facts"] = to_json(entry.fact);
  return object;
}

}  // namespace ledger
