"""The reviewed list: rights that no run uses, each with the reason why its policy has it all the same.

Holder -> statement -> reason -> actions and resources. An entry that the run uses, or that no policy has, fails the
test.
"""

UNUSED = {
    "aws role bucket-brigade-archive-copy-eu-west-1": {
        "FindVersions": {
            "Terraform does not read whether an existing bucket keeps versions": ["arn:aws:s3:::bucket-brigade-source"],
        },
    },
    "aws role bucket-brigade-upload-validate-eu-west-1": {
        "RememberOutcomes": {
            "Powertools requires it: it reads a record if the refusal of a write does not contain it": [
                "dynamodb:GetItem"
            ],
        },
        "SendMail": {
            "SES may have verified the domain of the sender, and here it has verified the address": [
                "arn:aws:ses:eu-west-1:123456789012:identity/example.org"
            ],
        },
    },
}
