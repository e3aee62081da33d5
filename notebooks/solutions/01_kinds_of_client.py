kinds = {
    "a notebook that you share": "public",
    "an app on a phone": "public",
    "a Flask application on your server": "confidential",
    "a script in the page of a web site": "public",
    "a nightly job on your server": "confidential",
}
checks.kinds_of_client(kinds)
