// Keeps a callback from reaching an object that is gone.
#pragma once

#include <memory>
#include <utility>

namespace base {

// A member of the object that callbacks point to, declared last so that it ends first. Copies of the object's callbacks
// may outlive it: guarded ones do nothing then. One thread.
class Lifetime {
 public:
  Lifetime() = default;
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  // Calls `callback` with what it is called with, while this object lives.
  template <class Callback>
  auto guard(Callback callback) const {
    return [alive = std::weak_ptr<const bool>(alive_), callback = std::move(callback)](auto&&... arguments) {
      if (!alive.expired()) callback(std::forward<decltype(arguments)>(arguments)...);
    };
  }

  // Silences all callbacks that were guarded so far.
  void renew() { alive_ = std::make_shared<const bool>(true); }

 private:
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace base
