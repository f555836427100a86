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

# The same for the build, whose use tests/local/test_builds.py records.
UNUSED_BY_BUILDS = {
    "aws role bucket-brigade-build-eu-west-1": {
        "ReadSource": {
            "CodeBuild reads a version if a build names one as its source": ["s3:GetObjectVersion"],
        },
        "IdentifyBucket": {
            "CodeBuild looks up the bucket of the sources, and the embedded AWS does not": [
                "s3:GetBucketAcl",
                "s3:GetBucketLocation",
                "arn:aws:s3:::bucket-brigade-123456789012-eu-west-1-packages",
            ],
        },
        "WriteReports": {
            "CodeBuild writes test reports, and the embedded AWS has none": [
                "codebuild:BatchPutTestCases",
                "codebuild:CreateReport",
                "codebuild:CreateReportGroup",
                "codebuild:UpdateReport",
                "arn:aws:codebuild:eu-west-1:123456789012:report-group/bucket-brigade-build-bucket-brigade",
            ],
        },
    },
}
