import checks


def rows(get, address):
    found = []
    while address:
        page = get(address)
        found += page["measurements"]
        address = page["next"]
    return found


checks.all_rows(rows)
